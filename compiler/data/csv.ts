/** Rows and fields of a CSV text (RFC 4180: commas, quotes doubled inside quotes, CR LF or LF); fields are trimmed outside of quotes, empty lines left out. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /[^\S\n]*(?:"((?:[^"]|"")*)"[^\S\n]*|([^",\n]*))(,|\r?\n|$)/y;
  const body = text.replace(/^\uFEFF/, '');
  for (let at = 0; at < body.length;) {
    field.lastIndex = at;
    const match = field.exec(body);
    // What is no field (a quote inside an unquoted one) is taken as it stands, up to the end of the line.
    const [whole, quoted, plain = '', end] = match ?? [body.slice(at, lineEnd(body, at)), undefined, body.slice(at, lineEnd(body, at)), '\n'];
    row.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    at += Math.max(1, whole.length);
    if (end === ',' && at < body.length) continue;
    if (end === ',') row.push('');
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  }
  return rows;
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at < 0 ? text.length : at + 1;
}
