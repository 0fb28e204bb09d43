/** EPUB: a zip whose package file lists the chapters, each an XHTML file, in the order of reading. */
import { failure } from '../../base/failure';
import type { Extracted } from '../../data/document-records';
import { decodeHtml } from './encoding';
import type { OnProgress } from './extract';
import { appendHtml } from './html-text';
import { TextBuilder } from './text-builder';
import { xmlElements, type XmlElement } from './xml-elements';
import { ZipFiles } from './zip-files';

/** Fonts are scrambled in books that are free to read; anything else that is encrypted is locked. */
const SCRAMBLED_FONT = /^http:\/\/(www\.idpf\.org\/2008\/embedding|ns\.adobe\.com\/pdf\/enc#RC)$/;
const PICTURE = /\.(svg|png|jpe?g|gif|webp)$/i;

/** A chapter's file, and whether it is XML. */
interface Chapter {
  path: string;
  xml: boolean;
}

export function epubText(bytes: Uint8Array, onProgress: OnProgress): Extracted {
  const zip = new ZipFiles(bytes);
  const elements = (path: string): XmlElement[] | undefined => {
    const file = zip.read(path);
    return file && xmlElements(decodeHtml(file).text);
  };
  if (isLocked(elements('META-INF/encryption.xml') ?? [])) throw failure('protected');
  const packagePath = elements('META-INF/container.xml')?.find(({ name }) => name === 'rootfile')?.attributes.get('full-path');
  const listed = packagePath === undefined ? undefined : elements(packagePath);
  if (packagePath === undefined || !listed) throw failure('extract', {}, 'the EPUB has no package file');
  const builder = new TextBuilder();
  for (const { path, xml } of chapters(listed, packagePath)) {
    if (PICTURE.test(path)) builder.picture();
    else {
      const chapter = zip.read(path);
      if (chapter) appendHtml(builder, decodeHtml(chapter).text, xml);
    }
    onProgress(0, 0);
  }
  return builder.done();
}

function isLocked(all: readonly XmlElement[]): boolean {
  const methods = all.filter(({ name }) => name === 'encryptionmethod');
  return methods.some(({ attributes }) => !SCRAMBLED_FONT.test(attributes.get('algorithm') ?? ''));
}

/**
 * The spine's files, each once, where it is first named: the spine of some books names every section of a chapter's file. The navigation is a
 * list of the chapters, not one of them.
 */
function chapters(all: readonly XmlElement[], packagePath: string): Iterable<Chapter> {
  const items = new Map(all.filter(({ name }) => name === 'item').map(({ attributes }) => [attributes.get('id'), attributes]));
  const found = new Map<string, Chapter>();
  for (const { name, attributes } of all) {
    const item = name === 'itemref' ? items.get(attributes.get('idref')) : undefined;
    const href = item?.get('href');
    if (!item || !href || /(^|\s)nav(\s|$)/.test(item.get('properties') ?? '')) continue;
    const path = pathOf(href, packagePath);
    if (path !== undefined && !found.has(path)) found.set(path, { path, xml: item.get('media-type') !== 'text/html' });
  }
  return found.values();
}

/** Within the zip: without what follows `#`. None of a file elsewhere. */
function pathOf(href: string, packagePath: string): string | undefined {
  try {
    const url = new URL(href, new URL(encodeURI(packagePath), 'epub:///'));
    return url.protocol === 'epub:' ? decodeURIComponent(url.pathname.slice(1)) : undefined;
  } catch {
    return undefined;
  }
}
