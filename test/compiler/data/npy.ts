/** A .npy file of version 1 with these elements, as they lie in memory. */
export function npy(descr: string, shape: readonly number[], elements: Uint8Array, fortran: boolean = false): Uint8Array {
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
  return Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8, ...Buffer.from(padded), ...elements]);
}
