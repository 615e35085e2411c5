import { Diagnostic } from '../diagnostic.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Text from UTF-8. A byte that is not part of valid UTF-8 (old exporters wrote Latin-1 names) becomes the lone surrogate U+DC80 … U+DCFF with the byte
 * in its low eight bits, as in Python's `surrogateescape` (PEP 383); `encodeUtf8` turns it back, so that any bytes survive.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  // Beyond this a text that is put together letter by letter costs more than the decoder.
  if (bytes.length < 12) {
    let text = '';
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i]! >= 0x80) return decodeAny(bytes);
      text += String.fromCharCode(bytes[i]!);
    }
    return text;
  }
  return decodeAny(bytes);
}

function decodeAny(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return escapeInvalid(bytes);
  }
}

/** Text where the bytes are valid UTF-8, else the bytes themselves: for `bytes` fields that mostly hold text. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

function escapeInvalid(bytes: Uint8Array): string {
  let text = '';
  let codes: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    let code = length === 0 ? 0xdc00 + bytes[at]! : length === 1 ? bytes[at]! : bytes[at]! & (0x7f >> length);
    for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i]! & 0x3f);
    codes.push(code);
    at += length || 1;
    if (codes.length === 4096 || at >= bytes.length) {
      text += String.fromCodePoint(...codes);
      codes = [];
    }
  }
  return text;
}

/** Bytes of the valid sequence that starts at `at` (Unicode 15, table 3-7); 0 if there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  const second = bytes[at + 1] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (length === 0 || second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** The inverse of `decodeUtf8`. Throws `model/text` for a lone surrogate that stands for no byte, because UTF-8 cannot hold it. */
export function encodeUtf8(text: string): Uint8Array {
  if (!/\p{Surrogate}/u.test(text)) return encoder.encode(text);
  const parts = text.split(/(\p{Surrogate})/u).map((part, i) => {
    if (i % 2 === 0) return encoder.encode(part);
    const code = part.charCodeAt(0);
    if (code < 0xdc80 || code > 0xdcff) {
      throw new Diagnostic('model/text', `${JSON.stringify(text)} holds the lone surrogate U+${code.toString(16).toUpperCase()}, which UTF-8 cannot hold`, {
        suggestion: 'Remove the character from the name or text.',
      });
    }
    return Uint8Array.of(code - 0xdc00);
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
