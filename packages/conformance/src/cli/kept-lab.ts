import { cleanEnvironment, MILLRACE_COMMAND } from "../agent/agent.ts";
import { markKept } from "../lab/owner.ts";
import type { Testbed } from "../suite/testbed.ts";
import { invocation, quoted } from "./invocation.ts";

/** Notes that the lab is to stay up for a look, and tells how to have one. */
export function keepLab({ lab, node, options }: Testbed): string {
  markKept(lab.prefix);
  const enter = (path: string) => `nsenter --net=${path}`;
  // What names the lab's own programs (MILLRACE_HAPROXY) would be no setting of the agent's.
  const ours = Object.keys(cleanEnvironment()).flatMap((name) => ["-u", name]);
  const command = [...(options.agentCommand ?? MILLRACE_COMMAND), "status", "--config", node.paths.agentConfig];
  const millrace = ours.length === 0 ? command : ["env", ...ours, ...command];
  const hosts = lab.hosts.map(({ name, namespace, addresses }) =>
    [`  ${name.padEnd(4)}`, enter(namespace.path), `# ${addresses[4]}, ${addresses[6]}`].join(" "),
  );
  return [
    `lab ${lab.prefix} stays up. Enter its namespaces by:`,
    ...hosts,
    `the agent: ${enter(node.namespace.path)} -- ${millrace.map(quoted).join(" ")}`,
    `its manifests, which it follows: ${node.paths.manifests}; BPF file system: ${node.paths.bpffs}; configuration: ${node.paths.agentConfig}`,
    `remove it with: ${invocation()} down ${lab.prefix}`,
  ].join("\n");
}
