/** Finds where a JSON object or list ends, in a text that comes in pieces. */
export class JsonEnd {
  #isText = false;
  #isEscaped = false;

  /** `depth` brackets are open already. */
  constructor(private depth = 0) {}

  /** Where the piece that ends it goes on behind it; nothing while it has not ended. A piece is given once. */
  find(piece: string): number | undefined {
    for (let at = 0; at < piece.length; at += 1) {
      const letter = piece[at];
      if (this.#isText) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (letter === '\\') this.#isEscaped = true;
        else if (letter === '"') this.#isText = false;
      } else if (letter === '"') this.#isText = true;
      else if (letter === '{' || letter === '[') this.depth += 1;
      else if (letter === '}' || letter === ']') {
        this.depth -= 1;
        if (this.depth === 0) return at + 1;
      }
    }
    return undefined;
  }
}
