/** An id that nothing else has. `randomUUID` is missing where a page comes over plain http. */
export function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
