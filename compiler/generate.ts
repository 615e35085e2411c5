import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtInPasses } from '../passes/index.ts';
import { recipeJsonSchema } from './recipe/json-schema.ts';
import { diagnosticsPage, passPage } from './reference.ts';

/** The repository's root. */
export const root: string = dirname(createRequire(import.meta.url).resolve('#package'));

/** Pages and schemas that derive from declarations: path relative to the repository → text. `npm run generate` writes them; a test checks that they are up to date. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...builtInPasses.map((pass): [string, string] => [`specs/passes/${pass.name}.md`, passPage(pass)]),
    ['specs/diagnostics.md', diagnosticsPage()],
    ['specs/recipe.schema.json', `${JSON.stringify(recipeJsonSchema(builtInPasses), undefined, 2)}\n`],
  ]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = join(root, 'specs/passes');
  mkdirSync(folder, { recursive: true });
  for (const page of readdirSync(folder)) rmSync(join(folder, page));
  for (const [path, text] of generatedFiles()) writeFileSync(join(root, path), text);
}
