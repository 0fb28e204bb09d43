/** What kind of document a file is, by its bytes: names are changed, and programs give wrong ones. */
import { failure } from '../../base/failure';
import type { DocumentKind } from '../../data/document-records';
import { formatOf, hasPdfWithin } from './first-bytes';
import { ZipFiles } from './zip-files';

/** The name of what a password locks, in UTF-16. */
const LOCKED = Array.from('EncryptedPackage', (letter) => `${letter}\0`).join('');

/**
 * The bytes decide where they say something, else `named`, the kind by name and type. Throws `file-kind` where it is none that is read here, and
 * `password`.
 */
export function contentKind(bytes: Uint8Array, named: DocumentKind | undefined): DocumentKind {
  const format = formatOf(bytes);
  if (format === 'zip') return zipKind(bytes, named);
  if (format === 'ole') throw failure(new TextDecoder('latin1').decode(bytes).includes(LOCKED) ? 'password' : 'file-kind');
  if (format) return format;
  if (!named && hasPdfWithin(bytes)) return 'pdf';
  if (!named) throw failure('file-kind');
  return named;
}

/** One that is neither is read as its name says, and found damaged. */
function zipKind(bytes: Uint8Array, named: DocumentKind | undefined): DocumentKind {
  const { names } = new ZipFiles(bytes);
  if (names.includes('META-INF/container.xml')) return 'epub';
  if (names.includes('[Content_Types].xml') && names.some((name) => name.startsWith('word/'))) return 'docx';
  if (named === 'docx' || named === 'epub') return named;
  throw failure('file-kind');
}
