/** EPUB: a zip whose package file lists the chapters, each an XHTML file, in the order of reading. */
import { strFromU8 } from 'fflate';
import { Parser } from 'htmlparser2';
import { failure } from '../app/failure';
import { decodeHtml } from './encoding';
import { appendHtml } from './html-text';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';
import { zipFiles } from './zip-files';

/** Fonts are scrambled in books that are free to read; anything else that is encrypted is locked. */
const SCRAMBLED_FONT = /^http:\/\/(www\.idpf\.org\/2008\/embedding|ns\.adobe\.com\/pdf\/enc#RC)$/;

interface Element {
  name: string;
  attributes: Record<string, string>;
}

export function epubText(bytes: Uint8Array): Extracted {
  const files = zipFiles(bytes, /\.(xml|opf|x?html?|ncx)$/i);
  const encryption = files['META-INF/encryption.xml'];
  if (encryption && isLocked(elements(strFromU8(encryption)))) throw failure('protected');
  const container = files['META-INF/container.xml'];
  const packagePath = container && elements(strFromU8(container)).find(({ name }) => name === 'rootfile')?.attributes['full-path'];
  const packageFile = packagePath === undefined ? undefined : files[packagePath];
  if (packagePath === undefined || !packageFile) throw failure('extract', {}, 'the EPUB has no package file');
  const builder = new TextBuilder();
  for (const path of chapters(elements(strFromU8(packageFile)), packagePath)) {
    const chapter = files[path];
    if (chapter) appendHtml(builder, decodeHtml(chapter).text);
  }
  return builder.done();
}

function isLocked(all: readonly Element[]): boolean {
  const methods = all.filter(({ name }) => name.endsWith('EncryptionMethod'));
  return methods.some(({ attributes }) => !SCRAMBLED_FONT.test(attributes.Algorithm ?? ''));
}

/** Paths of the spine's files. The navigation is a list of the chapters, not one of them. */
function chapters(all: readonly Element[], packagePath: string): string[] {
  const items = new Map(all.filter(({ name }) => name.endsWith('item')).map(({ attributes }) => [attributes.id, attributes]));
  const folder = new URL(encodeURI(packagePath), 'epub:///');
  return all.filter(({ name }) => name.endsWith('itemref')).flatMap(({ attributes }) => {
    const item = items.get(attributes.idref);
    if (!item?.href || /(^|\s)nav(\s|$)/.test(item.properties ?? '')) return [];
    return [decodeURIComponent(new URL(item.href, folder).pathname.slice(1))];
  });
}

function elements(xml: string): Element[] {
  const found: Element[] = [];
  new Parser({ onopentag: (name, attributes) => void found.push({ name, attributes }) }, { xmlMode: true }).end(xml);
  return found;
}
