/** What kind of document a file is, by its name and, where that says nothing, by its type. Its bytes may know better: `content-kind.ts`. */
import type { DocumentKind } from '../../data/document-records';

const BY_ENDING: Readonly<Record<string, DocumentKind>> = {
  pdf: 'pdf', docx: 'docx', epub: 'epub', rtf: 'rtf', html: 'html', htm: 'html', xhtml: 'html', md: 'markdown', markdown: 'markdown',
  txt: 'text', text: 'text', csv: 'text', tsv: 'text', json: 'text', log: 'text', rst: 'text', tex: 'text', srt: 'text', vtt: 'text',
};
const BY_TYPE: readonly (readonly [RegExp, DocumentKind])[] = [
  [/^application\/pdf$/, 'pdf'],
  [/wordprocessingml/, 'docx'],
  [/^application\/epub\+zip$/, 'epub'],
  [/^(application|text)\/(x-)?rtf$|^text\/richtext$/, 'rtf'],
  [/html/, 'html'],
  [/^text\/markdown$/, 'markdown'],
  [/^text\//, 'text'],
];

/** What the file picker offers. */
export const DOCUMENT_ENDINGS = Object.keys(BY_ENDING).map((ending) => `.${ending}`).join(',');

/** A file whose name and type say nothing at all may be a text. */
export function documentKind({ name, type }: { name: string; type: string }): DocumentKind | undefined {
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  if (ending === '' && type === '') return 'text';
  return BY_ENDING[ending] ?? BY_TYPE.find(([pattern]) => pattern.test(type))?.[1];
}
