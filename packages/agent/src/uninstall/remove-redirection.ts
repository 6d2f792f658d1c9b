import type { Observation, Plugin, Redirection } from "@millrace/core";
import { ourProgram } from "@millrace/plugin-ebpf";
import type { Backends } from "../backends/backends.ts";
import type { UsedBackends } from "../backends/used-backends.ts";
import { attachedPrograms, isOurs } from "../kernel/attached-programs.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Ledger } from "./removal.ts";
import { hasTraces } from "./traces.ts";

const why = (error: unknown): string => {
  const { code, message } = describeError(error);
  return code === undefined ? message : `${code}: ${message}`;
};

/**
 * Uninstalls what every installed backend has put into the kernel, not only the one in use: an earlier agent may have used another.
 * The journal says which were used; where it does not, the kernel is asked. What cannot be looked at counts as left where it was used.
 */
export async function removeRedirections(
  { plugins, create }: Backends,
  used: UsedBackends,
  ledger: Ledger,
): Promise<void> {
  const noted = used.names();
  for (const name of noted.filter((name) => !plugins.some((plugin) => plugin.name === name))) {
    ledger.left.push(`redirection of backend ${name}: its plugin is not loaded; name it in \`plugins\``);
  }
  for (const plugin of plugins) {
    const { name } = plugin;
    const wasUsed = noted.includes(name);
    try {
      if (!wasUsed && !(await hasTraces(name, create(plugin)))) continue;
      // One that cannot work here would only leave half of what opening makes.
      const probe = wasUsed ? undefined : await create(plugin).probe();
      if (probe?.capable === false) {
        ledger.unseen.push(`backend ${name}: it cannot look here: ${probe.summary}`);
        continue;
      }
      await removeRedirection(plugin, () => create(plugin).open(), ledger);
      used.forget(name);
    } catch (error) {
      if (wasUsed) ledger.left.push(`redirection of backend ${name}: it cannot be opened: ${why(error)}`);
      else ledger.unseen.push(`backend ${name}: it cannot look here: ${why(error)}`);
    }
  }
  try {
    for (const { interface: where, direction, by, name, programId } of attachedPrograms().filter(isOurs)) {
      if (ourProgram(programId) === undefined) continue;
      ledger.left.push(`program ${name} on ${where} ${direction}, attached by ${by}`);
    }
  } catch (error) {
    const list = noted.includes("ebpf") ? ledger.left : ledger.unseen;
    list.push(`programs on interfaces: they cannot be listed: ${why(error)}`);
  }
}

async function removeRedirection(plugin: Plugin, open: () => Promise<Redirection>, ledger: Ledger): Promise<void> {
  const found = await openAndRemove(open);
  for (const what of describe(found)) ledger.removed.push(`${what} (backend ${plugin.name})`);
  // Opened anew, it reads the kernel without any memory of what it removed.
  const still = await openAndRemove(open);
  for (const what of describe(still)) ledger.left.push(`${what} (backend ${plugin.name}), removed again just now`);
}

async function openAndRemove(open: () => Promise<Redirection>): Promise<Observation> {
  await using redirection = await open();
  const found = await redirection.observe();
  await redirection.uninstall();
  return found;
}

function describe({ workloads, proxies }: Observation): string[] {
  return [
    ...workloads.map(
      ({ uid, addresses }) => `redirection of workload ${uid} (${addresses.join(", ") || "no address"})`,
    ),
    ...proxies.map(({ key, role }) => `redirection to ${role} proxy ${key}`),
  ];
}
