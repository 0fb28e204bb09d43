/**
 * The one default policy: scripts of workers may come from the page's own address. There is none for HTML, so nothing but
 * lit-html's templates can ever become elements.
 */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): unknown;
}

export function allowOwnWorkers(): void {
  const { trustedTypes } = window as unknown as { trustedTypes?: TrustedTypes };
  trustedTypes?.createPolicy('default', {
    createScriptURL(url) {
      if (new URL(url, document.baseURI).origin === location.origin) return url;
      throw new TypeError(`no script may come from ${url}`);
    },
  });
}
