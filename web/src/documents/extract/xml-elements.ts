/** The elements of a small XML file, one after the other: what a package lists. parse5 splits HTML and XML alike into tags. */
import { Tokenizer, type Token } from 'parse5';
import { failure } from '../../base/failure';

/** By names in small letters and without the prefix of their namespace. */
export interface XmlElement {
  name: string;
  attributes: ReadonlyMap<string, string>;
}

/** Books have thousands of files, not millions. */
const MOST_ELEMENTS = 500_000;

/** Throws `too-complex`. */
export function xmlElements(xml: string): XmlElement[] {
  const found: XmlElement[] = [];
  const ignore = () => undefined;
  const tokenizer = new Tokenizer({}, {
    onStartTag({ tagName, attrs }: Token.TagToken) {
      if (found.length === MOST_ELEMENTS) throw failure('too-complex', {}, `more than ${MOST_ELEMENTS} elements`);
      found.push({ name: withoutPrefix(tagName), attributes: new Map(attrs.map(({ name, value }) => [name, value])) });
    },
    onEndTag: ignore, onComment: ignore, onDoctype: ignore, onEof: ignore, onCharacter: ignore, onNullCharacter: ignore, onWhitespaceCharacter: ignore,
  });
  tokenizer.inForeignNode = true;
  tokenizer.write(xml, true);
  return found;
}

function withoutPrefix(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
