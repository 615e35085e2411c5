import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Diagnostic } from '../ir/diagnostic.ts';
import type { Pass } from '../passes/pass.ts';
import { schemaMistake } from './options-schema.ts';
import { diagnosticAt } from './recipe/problems.ts';
import type { Place } from './recipe/tree.ts';

/** The version of the interface between plugins and onnxpress. It changes only when a plugin that worked would no longer work. */
export const pluginApi = 1;

/** What a plugin brings: passes whose names begin with `vendor/`. */
export interface Plugin {
  /** Name of the npm package. */
  readonly name: string;
  /** The `pluginApi` that it was written for. */
  readonly api: number;
  readonly passes: readonly Pass[];
}

/** Declares a plugin: the identity. It is the default export of the package. */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}

/** A plugin as a recipe lists it. */
export interface PluginRequest {
  /** A package name, or a path relative to the recipe (`./passes.js`). */
  readonly specifier: string;
  /** Where the recipe lists it. */
  readonly place?: Place | undefined;
}

/** What loading gives: passes to add to the built-in ones, and the modules, which are inputs of the compile. */
export interface LoadedPlugins {
  readonly passes: readonly Pass[];
  readonly files: readonly string[];
}

/**
 * Imports the plugins that a recipe lists, resolved from the folder of the recipe. This runs their code. All mistakes are collected:
 * `plugin/not-found`, `plugin/failed`, `plugin/no-default-export`, `plugin/api-mismatch`, `plugin/duplicate-pass`, `plugin/bad-name`, `plugin/bad-schema`.
 */
export async function loadPlugins(
  requests: readonly PluginRequest[], folder: string, builtIn: readonly Pass[], add: (problem: Diagnostic) => void,
): Promise<LoadedPlugins> {
  const owners = new Map(builtIn.map((pass) => [pass.name, 'onnxpress']));
  const passes: Pass[] = [];
  const files: string[] = [];
  for (const request of requests) {
    const file = resolvePlugin(request.specifier, folder);
    if (file === undefined) {
      add(notFound(request, folder));
      continue;
    }
    files.push(file);
    const plugin = await importPlugin(request, file, add);
    if (plugin === undefined) continue;
    for (const pass of plugin.passes) {
      const mistake = passMistake(pass, request, owners);
      if (mistake !== undefined) {
        add(mistake);
        continue;
      }
      owners.set(pass.name, request.specifier);
      passes.push(pass);
    }
  }
  return { passes, files };
}

async function importPlugin({ specifier, place }: PluginRequest, file: string, add: (problem: Diagnostic) => void): Promise<Plugin | undefined> {
  let loaded: { readonly default?: unknown };
  try {
    loaded = await import(pathToFileURL(file).href) as { default?: unknown };
  } catch (error) {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const missing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    add(diagnosticAt('plugin/failed', `the plugin ${specifier} cannot be loaded: ${why}`, place, {
      suggestion: missing ? `install what it needs: npm install in ${dirname(file)}` : 'report it to its author',
    }));
    return undefined;
  }
  const plugin = loaded.default;
  if (typeof plugin !== 'object' || plugin === null) {
    add(diagnosticAt('plugin/no-default-export', `the plugin ${specifier} has no default export`, place, { suggestion: 'its main module must say `export default definePlugin({ … })`' }));
    return undefined;
  }
  const { api, passes } = plugin as Partial<Plugin>;
  if (api !== pluginApi) {
    const older = typeof api === 'number' && api > pluginApi ? 'this onnxpress is older: update it' : 'the plugin is older: update it';
    add(diagnosticAt('plugin/api-mismatch', `the plugin ${specifier} is written for plugin interface ${String(api)}, and this onnxpress has ${pluginApi}`, place, {
      expected: [String(pluginApi)], actual: String(api), suggestion: older,
    }));
    return undefined;
  }
  if (!Array.isArray(passes)) {
    add(diagnosticAt('plugin/no-default-export', `the default export of the plugin ${specifier} has no list of passes`, place, { suggestion: 'its main module must say `export default definePlugin({ name, api: 1, passes: [ … ] })`' }));
    return undefined;
  }
  return plugin as Plugin;
}

function passMistake(pass: Pass, { specifier, place }: PluginRequest, owners: ReadonlyMap<string, string>): Diagnostic | undefined {
  const name: unknown = (pass as Partial<Pass> | null)?.name;
  if (typeof name !== 'string' || !/^[a-z0-9-]+\/[a-z0-9-]+$/.test(name) || typeof (pass as Partial<Pass>).run !== 'function' || typeof (pass as Partial<Pass>).version !== 'number') {
    return diagnosticAt('plugin/bad-name', `the plugin ${specifier} brings a pass ${JSON.stringify(name)}: a pass needs a version, a \`run\` and a name in kebab-case behind a prefix`, place, {
      suggestion: 'name it like `acme/fuse-attention`; names without prefix belong to onnxpress',
    });
  }
  const owner = owners.get(name);
  if (owner !== undefined) {
    return diagnosticAt('plugin/duplicate-pass', `the plugin ${specifier} brings a pass \`${name}\`, which ${owner} brings already`, place, { suggestion: 'list only one of them' });
  }
  const mistake = schemaMistake(pass.options);
  if (mistake === undefined) return undefined;
  return diagnosticAt('plugin/bad-schema', `the options of \`${name}\` of the plugin ${specifier} are not declared in the form that onnxpress reads: ${mistake}`, place, {
    suggestion: 'specs/plugin-api.md lists the keywords; report it to the author of the plugin',
  });
}

function notFound({ specifier, place }: PluginRequest, folder: string): Diagnostic {
  const isPath = isPathSpecifier(specifier);
  return diagnosticAt('plugin/not-found', `the plugin ${specifier} is not found from ${folder === '' ? '.' : folder}`, place, {
    suggestion: isPath ? 'write the path relative to the recipe' : `install it beside the recipe: npm i -D ${specifier}`,
  });
}

function isPathSpecifier(specifier: string): boolean {
  return /^\.{1,2}\//.test(specifier) || isAbsolute(specifier);
}

/** The module file that a specifier means from a folder, as `import` finds it. */
function resolvePlugin(specifier: string, folder: string): string | undefined {
  if (isPathSpecifier(specifier)) {
    const file = resolve(folder, specifier);
    return existsSync(file) ? file : undefined;
  }
  try {
    return createRequire(join(resolve(folder), 'recipe.yaml')).resolve(specifier);
  } catch (error) {
    // A package that exports to `import` only is invisible to require.resolve.
    return (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? importEntry(specifier, folder) : undefined;
  }
}

function importEntry(name: string, folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const manifest = join(at, 'node_modules', name, 'package.json');
    if (existsSync(manifest)) {
      const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown };
      const entry = conditional(typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports);
      return entry === undefined ? undefined : join(dirname(manifest), entry);
    }
    if (dirname(at) === at) return undefined;
  }
}

function conditional(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  const conditions = target as Readonly<Record<string, unknown>>;
  return conditional(conditions['node'] ?? conditions['import'] ?? conditions['default']);
}
