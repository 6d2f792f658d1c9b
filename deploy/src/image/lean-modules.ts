import * as http from "node:http";
import * as https from "node:https";
import type { Plugin } from "rolldown";

const MARK = "\0lean:";

/**
 * Modules that stand in for others, which would be evaluated at every start and never used: memory, most of all. An import that they lack
 * fails the bundle.
 */
export function leanModules(): Plugin {
  const modules = new Map<string, string>();
  const standIn = (name: string, code: string): string => {
    modules.set(`${MARK}${name}`, code);
    return `${MARK}${name}`;
  };
  return {
    name: "lean-modules",
    async resolveId(id, importer) {
      const name = id.replace(/^node:/, "");
      if (Object.hasOwn(BUILT_IN, name)) return standIn(name, builtIn(name));
      if (id !== "undici" || importer?.startsWith(MARK)) return null;
      const found = await this.resolve(id, importer, { skipSelf: true });
      return found && standIn(id, whenUsed(found.id));
    },
    load: (id) => modules.get(id) ?? null,
  };
}

const BUILT_IN: Readonly<Record<string, object>> = { http, https };
/** What Node has its own undici evaluated for when it is first asked for (lib/http.js). */
const OF_UNDICI: readonly string[] = ["WebSocket", "CloseEvent", "MessageEvent"];

/**
 * Of a built-in module that is imported or required, Node makes a namespace, and reads each export for that. process.getBuiltinModule() gives
 * the module itself.
 */
function builtIn(name: string): string {
  const names = Object.keys(BUILT_IN[name] ?? {}).filter((each) => each !== "default" && !OF_UNDICI.includes(each));
  return [
    `const builtIn = process.getBuiltinModule("node:${name}");`,
    "export default builtIn;",
    `export const { ${names.join(", ")} } = builtIn;`,
  ].join("\n");
}

/** The Kubernetes client's way of asking; the agent has its own (docs/adr/0017), and takes from the client how the API server is reached. */
function whenUsed(undici: string): string {
  const real = `require(${JSON.stringify(undici)})`;
  return [
    `export function Agent(...options) { return new (${real}.Agent)(...options); }`,
    `export function ProxyAgent(...options) { return new (${real}.ProxyAgent)(...options); }`,
    `export const fetch = (...request) => ${real}.fetch(...request);`,
  ].join("\n");
}
