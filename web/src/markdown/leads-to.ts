/** Where a link leads that its text does not say, or says otherwise: its host, or its mailbox. */
export function leadsTo(href: string, said: string): string | undefined {
  if (!URL.canParse(href)) return undefined;
  const { protocol, host, pathname } = new URL(href);
  const text = said.trim();
  if (protocol === 'mailto:') return text === pathname ? undefined : pathname;
  const shown = /^https?:/i.test(text) ? text : `http://${text}`;
  const told = URL.canParse(shown) ? new URL(shown) : undefined;
  // A name before the host is there to look like one.
  return told?.host === host && told.username === '' ? undefined : host;
}
