import type { Agent } from "../agent/agent.ts";
import type { LabHost } from "../lab/lab-host.ts";

/** TCP's own counters that rise when something went wrong (Documentation/networking/snmp_counter.rst), named by `nstat`. */
const TROUBLE = /Abort|Backlog|Challenge|Drop|Fail|Full|Overflow|PAWS|Reset|Retrans|Rst|Syncookies|Timeout|TW|InErrs/;

/** What the backend's programs or rules counted; `status` reads it from the kernel, whatever the agent knew before. */
export async function countersOf(agent: Agent): Promise<Record<string, number>> {
  const { stdout, stderr } = await agent.millrace("status", "--json");
  if (stdout === "") throw new Error(`millrace status: ${stderr}`);
  return (JSON.parse(stdout) as { counters: Record<string, number> }).counters;
}

/** What a host's TCP counted that tells of trouble, as text. */
export async function kernelCounters(host: LabHost): Promise<string> {
  const listing = await host.namespace.runChecked("nstat", ["-as"]);
  const trouble = listing.split("\n").flatMap((line) => {
    const [name = "", count = "0"] = line.split(/\s+/);
    return TROUBLE.test(name) && count !== "0" ? [`${name} ${count}`] : [];
  });
  return `${host.name}, counted by TCP since it was made: ${trouble.join(", ")}`;
}
