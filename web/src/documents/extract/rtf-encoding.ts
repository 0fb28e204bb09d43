/** Which encoding the bytes of an RTF file are in: a number of a code page, or of a font's character set. */

/** What a font of these character sets (`\fcharset`) is written in. */
const BY_CHARSET: Readonly<Record<number, string>> = {
  0: 'windows-1252', 77: 'macintosh', 128: 'shift_jis', 129: 'euc-kr', 134: 'gb18030', 136: 'big5', 161: 'windows-1253', 162: 'windows-1254',
  163: 'windows-1258', 177: 'windows-1255', 178: 'windows-1256', 186: 'windows-1257', 204: 'windows-1251', 222: 'windows-874', 238: 'windows-1250',
};
const BY_CODE_PAGE: Readonly<Record<number, string>> = {
  437: 'cp437', 850: 'cp850', 866: 'ibm866', 874: 'windows-874', 932: 'shift_jis', 936: 'gb18030', 949: 'euc-kr', 950: 'big5', 10000: 'macintosh',
  10007: 'x-mac-cyrillic', 20866: 'koi8-r', 21866: 'koi8-u', 54936: 'gb18030', 65001: 'utf-8',
};

/** The upper halves of the code pages of DOS, which browsers do not know. */
const DOS: Readonly<Record<string, string>> = {
  cp437: 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ',
  cp850: 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■ ',
};

export function ofCharset(charset: number): string | undefined {
  return BY_CHARSET[charset];
}

export function ofCodePage(page: number): string {
  if (page >= 1250 && page <= 1258) return `windows-${page}`;
  if (page > 28590 && page < 28606) return `iso-8859-${page - 28590}`;
  return BY_CODE_PAGE[page] ?? 'windows-1252';
}

const SHORT = 256;
const decoders = new Map<string, TextDecoder>();

export function decodeBytes(bytes: Uint8Array, encoding: string): string {
  // Most runs are a few letters, for which a decoder is slow.
  if (bytes.length < SHORT && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  const upper = DOS[encoding];
  if (upper !== undefined) return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : upper.charAt(byte - 0x80))).join('');
  let decoder = decoders.get(encoding);
  if (!decoder) decoders.set(encoding, (decoder = decoderOf(encoding)));
  return decoder.decode(bytes);
}

function decoderOf(encoding: string): TextDecoder {
  try {
    return new TextDecoder(encoding);
  } catch {
    return new TextDecoder('windows-1252');
  }
}
