import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import protobuf from 'protobufjs';
import { messages, schema, type MessageSpec } from '../../../ir/onnx/fields.ts';
import { root } from '../../paths.ts';
import { oracle } from './oracle.ts';

describe('ONNX wire schema', () => {
  it('holds the same messages, fields, labels and enums as the .proto', () => {
    const onnx = oracle.nested!['onnx'] as protobuf.Namespace;
    const found = { messages: {} as Record<string, unknown>, enums: {} as Record<string, unknown> };
    collect(onnx, '', found);
    expect(schema.messages).to.deep.equal(found.messages);
    expect(schema.enums).to.deep.equal(found.enums);
  });

  it('lists fields in the order of their numbers', () => {
    for (const { name, fields } of messages.values()) {
      const numbers = fields.map(({ number }) => number);
      expect(numbers, name).to.deep.equal([...numbers].sort((a, b) => a - b));
    }
  });

  it('agrees with the interfaces in ir/onnx/fields.ts', () => {
    const source = readFileSync(join(root, 'ir/onnx/fields.ts'), 'utf8').replace(/ {2}\/\*\*[^/]*\*\/\n {2}compact\?: boolean;\n/, '');
    const interfaces = [...source.matchAll(/^export interface (\w+) extends Message \{\n[^}]*\}/gm)].map(([text]) => text);
    expect(interfaces).to.have.members([...messages.values()].map(declare));
    for (const name of messages.keys()) {
      expect(source).to.include(`  ${name.includes('.') ? `'${name}'` : name}: ${name.replace('.', '')};\n`);
    }
  });

  it('packs scalars only in fields whose tag is one byte, as the shorter-form rule supposes', () => {
    for (const { fields } of messages.values()) for (const { repeated, wire, number } of fields) if (repeated && wire !== 2) expect(number).to.be.below(16);
  });
});

function collect(space: protobuf.NamespaceBase, prefix: string, found: { messages: Record<string, unknown>; enums: Record<string, unknown> }): void {
  for (const item of space.nestedArray) {
    const name = prefix + item.name;
    if (item instanceof protobuf.Enum) found.enums[name] = { ...item.values };
    if (!(item instanceof protobuf.Type)) continue;
    const fields = item.fieldsArray.sort((a, b) => a.id - b.id);
    found.messages[name] = Object.fromEntries(fields.map((field) => [field.name, row(field, item, name)]));
    collect(item, `${name}.`, found);
  }
}

function row(field: protobuf.Field, parent: protobuf.Type, name: string): unknown[] {
  const { resolvedType } = field.resolve();
  const type = resolvedType === null ? field.type : resolvedType.fullName.replace(/^\.onnx\./, '');
  expect(parent.fullName).to.equal(`.onnx.${name}`);
  if (field.repeated) return [field.id, type, field.getOption('packed') === true ? 'packed' : 'repeated'];
  return field.partOf === null ? [field.id, type] : [field.id, type, `oneof ${field.partOf.name}`];
}

/** The interface that a message should have. */
function declare({ name, fields }: MessageSpec): string {
  const types = { string: 'string', bytes: 'Chunk', float: 'number', double: 'number', int32: 'number', int64: 'Int64', uint64: 'Int64' } as const;
  const lines = fields.map((field) => {
    const element = field.type === 'message' ? field.message!.name.replace('.', '') : types[field.type];
    return `  ${field.name}?: ${field.array ? (field.array as unknown as { name: string }).name : `${element}${field.repeated ? '[]' : ''}`};\n`;
  });
  return `export interface ${name.replace('.', '')} extends Message {\n${lines.join('')}}`;
}
