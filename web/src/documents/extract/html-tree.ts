/**
 * The tree that a browser makes of HTML, by parse5: which end tags may be left out, what closes what, and where stray content goes,
 * is all in the standard. Of each node there is what a text needs; siblings are linked, as arrays of millions move slowly.
 */
import { Parser, Token, TokenizerMode, type TreeAdapter, type TreeAdapterTypeMap } from 'parse5';
import { failure } from '../../base/failure';

type Attributes = Token.Attribute[];
type Namespace = Parameters<TreeAdapter['createElement']>[1];
type Mode = Parameters<TreeAdapter['setDocumentMode']>[1];
type Nodes = TreeAdapterTypeMap<HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode, HtmlNode>;

/** About 300 MB of them; the largest pages that are read, standards in one file, have a tenth. */
const MOST_NODES = 3e6;

/** Entities of the file's own, which HTML does not know: what names them would be read as text. */
const PROLOGUE = 65_536;
const OWN_ENTITIES = /^((?:\s|<\?[^>]*>|<!--[^>]*-->)*<!DOCTYPE[^[>]*)\[[^\]]*\]/i;

/** An element by its tag's name, or `#text`, `#comment`, `#document`, `#fragment`. */
export class HtmlNode {
  text = '';
  parent: HtmlNode | null = null;
  first: HtmlNode | null = null;
  last: HtmlNode | null = null;
  previous: HtmlNode | null = null;
  next: HtmlNode | null = null;
  /** What a `template` holds. It is not in the tree. */
  content: HtmlNode | null = null;

  constructor(
    readonly name: string,
    readonly namespace: Namespace,
    readonly attributes: Attributes,
  ) {}
}

/** Throws `too-complex`. `xml`: any element may close itself, as in XHTML. */
export function htmlTree(html: string, xml: boolean): HtmlNode {
  const options = { treeAdapter: new LinkedTree() };
  return xml ? XhtmlParser.parse<Nodes>(html.slice(0, PROLOGUE).replace(OWN_ENTITIES, '$1') + html.slice(PROLOGUE), options) : PageParser.parse<Nodes>(html, options);
}

/** Of attributes, few decide how a page is read. Without the others, elements are alike, and of those a browser opens anew but three. */
class PageParser extends Parser<Nodes> {
  override onStartTag(token: Token.TagToken): void {
    if (!this.currentNotInHTML && token.tagName !== 'input') token.attrs = [];
    super.onStartTag(token);
  }
}

class XhtmlParser extends PageParser {
  override onStartTag(token: Token.TagToken): void {
    super.onStartTag(token);
    if (!token.selfClosing || token.ackSelfClosing) return;
    // A script, say, would go on to its end tag.
    this.tokenizer.state = TokenizerMode.DATA;
    this.onEndTag({ ...token, type: Token.TokenType.END_TAG, attrs: [], selfClosing: false });
  }

  protected override _setContextModes(...context: Parameters<Parser<Nodes>['_setContextModes']>): void {
    super._setContextModes(...context);
    // Sections of characters as they are (CDATA) may be everywhere.
    this.tokenizer.inForeignNode = true;
  }
}

class LinkedTree implements TreeAdapter<Nodes> {
  #nodes = 0;
  #mode: Mode = 'no-quirks' as Mode;

  createElement(name: string, namespace: Namespace, attributes: Attributes): HtmlNode {
    // One element's attributes decide how it is read; of all others they would be most of the memory.
    return this.#create(name, namespace, name === 'annotation-xml' ? attributes : []);
  }

  createDocument(): HtmlNode {
    return this.#create('#document');
  }

  createDocumentFragment(): HtmlNode {
    return this.#create('#fragment');
  }

  createCommentNode(): HtmlNode {
    return COMMENT;
  }

  createTextNode(text: string): HtmlNode {
    const node = this.#create('#text');
    node.text = text;
    return node;
  }

  appendChild(parent: HtmlNode, node: HtmlNode): void {
    if (node !== COMMENT) link(parent, node, null);
  }

  insertBefore(parent: HtmlNode, node: HtmlNode, reference: HtmlNode): void {
    link(parent, node, reference);
  }

  insertText(parent: HtmlNode, text: string): void {
    if (parent.last?.name === '#text') parent.last.text += text;
    else link(parent, this.createTextNode(text), null);
  }

  insertTextBefore(parent: HtmlNode, text: string, reference: HtmlNode): void {
    if (reference.previous?.name === '#text') reference.previous.text += text;
    else link(parent, this.createTextNode(text), reference);
  }

  detachNode(node: HtmlNode): void {
    const { parent, previous, next } = node;
    if (!parent) return;
    if (previous) previous.next = next;
    else parent.first = next;
    if (next) next.previous = previous;
    else parent.last = previous;
    node.parent = node.previous = node.next = null;
  }

  getChildNodes(node: HtmlNode): HtmlNode[] {
    const children = [];
    for (let child = node.first; child; child = child.next) children.push(child);
    return children;
  }

  getFirstChild = (node: HtmlNode) => node.first;
  getParentNode = (node: HtmlNode) => node.parent;
  getTagName = (node: HtmlNode) => node.name;
  getNamespaceURI = (node: HtmlNode) => node.namespace;
  getAttrList = (node: HtmlNode) => node.attributes;
  getTextNodeContent = (node: HtmlNode) => node.text;
  getTemplateContent = (node: HtmlNode) => node.content ?? node;
  setTemplateContent = (node: HtmlNode, content: HtmlNode) => void (node.content = content);
  isElementNode = (node: HtmlNode): node is HtmlNode => !node.name.startsWith('#');
  isTextNode = (node: HtmlNode): node is HtmlNode => node.name === '#text';
  isCommentNode = (node: HtmlNode): node is HtmlNode => node === COMMENT;
  isDocumentTypeNode = (node: HtmlNode): node is HtmlNode => node.name === '#doctype';
  getDocumentMode = () => this.#mode;
  setDocumentMode = (_: HtmlNode, mode: Mode) => void (this.#mode = mode);

  // Nothing of these is in the tree.
  adoptAttributes = () => undefined;
  setDocumentType = () => undefined;
  getCommentNodeContent = () => '';
  getDocumentTypeNodeName = () => '';
  getDocumentTypeNodePublicId = () => '';
  getDocumentTypeNodeSystemId = () => '';
  getNodeSourceCodeLocation = () => null;
  setNodeSourceCodeLocation = () => undefined;
  updateNodeSourceCodeLocation = () => undefined;

  #create(name: string, namespace: Namespace = '' as Namespace, attributes: Attributes = []): HtmlNode {
    this.#nodes += 1;
    if (this.#nodes > MOST_NODES) throw failure('too-complex', {}, `more than ${MOST_NODES} elements`);
    return new HtmlNode(name, namespace, attributes);
  }
}

const COMMENT = new HtmlNode('#comment', '' as Namespace, []);

function link(parent: HtmlNode, node: HtmlNode, next: HtmlNode | null): void {
  const previous = next ? next.previous : parent.last;
  [node.parent, node.previous, node.next] = [parent, previous, next];
  if (previous) previous.next = node;
  else parent.first = node;
  if (next) next.previous = node;
  else parent.last = node;
}
