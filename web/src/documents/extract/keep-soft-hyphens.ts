/**
 * pdf.js leaves out what Unicode calls a format character, and with it the soft hyphen at a line's end, which readers see and which says that
 * the word goes on. It asks for the kind of each character by a regular expression; in its worker, a soft hyphen has none of those kinds.
 */
const match = String.prototype.match;
String.prototype.match = function (this: string, pattern: Parameters<typeof match>[0]) {
  return this.length === 1 && this.charCodeAt(0) === 0xad ? null : match.call(this, pattern);
} as typeof match;
