import type { Probe, RedirectionBackend } from "../backend/contract.ts";
import type { Plugin } from "../backend/define-plugin.ts";
import { hint } from "../configuration/closest.ts";
import { CoreError, errorMessage } from "../errors.ts";
import type { EventData } from "../events/event.ts";

export interface SelectOptions {
  /** `auto`, or the name of one of the plugins. */
  readonly redirectMode: string;
  /** In the order in which `auto` prefers them. */
  readonly plugins: readonly Plugin[];
  /** Makes a plugin's backend; what it throws makes the plugin one that cannot. */
  readonly create: (plugin: Plugin) => RedirectionBackend;
}

export interface Selection {
  readonly plugin: Plugin;
  readonly backend: RedirectionBackend;
  readonly probe: Probe;
  /** For the event `backend.selected`. */
  readonly selected: EventData["backend.selected"];
}

interface Candidate {
  readonly plugin: Plugin;
  readonly backend?: RedirectionBackend;
  readonly probe?: Probe;
  readonly capable: boolean;
  readonly summary: string;
}

/**
 * Finds the backend that serves: the one that `redirectMode` names, or with `auto` the first whose probe says that it can keep the contract.
 * Throws ERR_REDIRECT_MODE_UNKNOWN, and ERR_NO_CAPABLE_BACKEND with what each one lacks: never a backend that would keep half of it.
 */
export async function selectBackend({ redirectMode, plugins, create }: SelectOptions): Promise<Selection> {
  const considered = redirectMode === "auto" ? plugins : [namedPlugin(redirectMode, plugins)];
  const passedOver: Candidate[] = [];
  for (const plugin of considered) {
    const candidate = await probe(plugin, create);
    const { backend, probe: result } = candidate;
    if (!candidate.capable || backend === undefined || result === undefined) {
      passedOver.push(candidate);
      continue;
    }
    const probes = [...passedOver, candidate].map(({ plugin: { name }, capable, summary }) => ({
      backend: name,
      capable,
      summary,
    }));
    const others = plugins.filter((other) => other !== plugin && !passedOver.some((passed) => passed.plugin === other));
    const reason = reasonFor(redirectMode, passedOver, others);
    return { plugin, backend, probe: result, selected: { mode: redirectMode, backend: plugin.name, probes, reason } };
  }
  const lines = passedOver.map(({ plugin: { name }, summary }) => `${name}: ${summary}`);
  throw new CoreError(
    "ERR_NO_CAPABLE_BACKEND",
    `no backend can keep the contract on this host (redirectMode ${redirectMode}). ${lines.join("; ") || "There are no plugins."}`,
  );
}

/** Throws `ERR_REDIRECT_MODE_UNKNOWN`. */
export function namedPlugin(name: string, plugins: readonly Plugin[]): Plugin {
  const found = plugins.find((plugin) => plugin.name === name);
  if (found !== undefined) return found;
  const known = ["auto", ...plugins.map((plugin) => plugin.name)];
  throw new CoreError(
    "ERR_REDIRECT_MODE_UNKNOWN",
    `redirectMode ${JSON.stringify(name)} names no known plugin.${hint(name, known)} Known: ${known.join(", ")}. ` +
      "Further ones are loaded by the setting `plugins`.",
  );
}

async function probe(plugin: Plugin, create: SelectOptions["create"]): Promise<Candidate> {
  try {
    const backend = create(plugin);
    const result = await backend.probe();
    return { plugin, backend, probe: result, capable: result.capable, summary: result.summary };
  } catch (error) {
    return { plugin, capable: false, summary: `cannot be probed: ${errorMessage(error)}` };
  }
}

/** One sentence that has every installed backend in it: the one that was taken, those passed over, those that were not looked at. */
function reasonFor(redirectMode: string, passedOver: readonly Candidate[], others: readonly Plugin[]): string {
  const names = others.map(({ name }) => name).join(", ");
  if (redirectMode !== "auto") return `named by redirectMode${names === "" ? "" : `; not considered: ${names}`}`;
  const rest = names === "" ? "" : `; comes after it in the order: ${names}`;
  if (passedOver.length === 0) return `first of the list, and capable${rest}`;
  const passed = passedOver.map(({ plugin: { name }, summary }) => `${name} (${summary})`).join(", ");
  return `first that is capable; passed over ${passed}${rest}`;
}
