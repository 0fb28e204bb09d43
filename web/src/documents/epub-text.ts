/** EPUB: a zip whose package file lists the chapters, each an XHTML file, in the order of reading. */
import { strFromU8, unzipSync } from 'fflate';
import { Parser } from 'htmlparser2';
import { failure } from '../app/failure';
import { appendHtml } from './html-text';
import { decodeHtml } from './plain-text';
import type { Extracted } from './records';
import { TextBuilder } from './text-builder';

/** A book's text is far below this; a zip that claims more is a bomb. */
const MOST_BYTES = 200e6;

interface Element {
  name: string;
  attributes: Record<string, string>;
}

export function epubText(bytes: Uint8Array): Extracted {
  let claimed = 0;
  const files = unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      const wanted = /\.(xml|opf|x?html?|ncx)$/i.test(name);
      if (wanted) claimed += originalSize;
      return wanted && claimed <= MOST_BYTES;
    },
  });
  const container = files['META-INF/container.xml'];
  const packagePath = container && elements(strFromU8(container)).find(({ name }) => name === 'rootfile')?.attributes['full-path'];
  const packageFile = packagePath === undefined ? undefined : files[packagePath];
  if (packagePath === undefined || !packageFile) throw failure('extract', {}, 'the EPUB has no package file');
  const builder = new TextBuilder();
  for (const path of chapters(elements(strFromU8(packageFile)), packagePath)) {
    const chapter = files[path];
    if (chapter) appendHtml(builder, decodeHtml(chapter));
  }
  return builder.done();
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
