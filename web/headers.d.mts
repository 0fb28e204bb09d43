export const PAGE_POLICY: string;
export const ISOLATION: Readonly<Record<string, string>>;
export function responseHeaders(contentType: string | null | undefined): Record<string, string>;
