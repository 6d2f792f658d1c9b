#!/usr/bin/env node
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { behaviours } from "./behaviours/index.ts";
import { LabError } from "./errors.ts";
import type { Family } from "./lab/addresses.ts";
import { Lab } from "./lab/lab.ts";
import { POD_NETWORKS, type PodNetworkKind } from "./lab/pod-network.ts";
import { SERVICE_MODES, type ServiceMode } from "./lab/services.ts";
import { run } from "./programs/command.ts";
import type { Behaviour, Temperature } from "./suite/behaviour.ts";
import { buildReport, isGood, renderResult, renderSummary, renderTable } from "./suite/report.ts";
import { runSuite } from "./suite/run.ts";

const USAGE = `Usage: node --conditions=source packages/conformance/src/cli.ts <command>

  list                 the behaviours, in Given / When / Then
  sweep                remove what labs of dead processes left
  run --backend <name> run behaviours against a backend
      --attach <mode>        how the ebpf backend attaches: tcx or clsact
      --flavour <flavour>    which iptables the iptables backend uses: nft or legacy
      --tunnel <kind>        its tunnel: geneve or vxlan
      --services <mode>      how the node translates Services: nft (default), iptables-nft, iptables-legacy
      --pods <how>           how pods are attached to the node: routed (default), bridge
      --bridge-nf 0|1        whether the node's iptables see what its bridges pass on; default: as the kernel has it
      --config <json>        the backend's configuration
      --plugin <path>        a plugin the agent is to load; may be repeated
      --agent <command>      how to run millrace; default: this repository's sources
      --only <id>[,<id>…]    these behaviours, by id or number
      --except <id>[,<id>…]  all but these
      --family 4|6           one family only
      --temperature cold|warm
      --report <file.json>   every result with its evidence

Exit status: 0 when every behaviour passed and every agent left an event log that replays, 1 when not, 2 for wrong usage.
`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      backend: { type: "string" },
      attach: { type: "string" },
      flavour: { type: "string" },
      tunnel: { type: "string" },
      services: { type: "string", default: "nft" },
      pods: { type: "string", default: "routed" },
      "bridge-nf": { type: "string" },
      config: { type: "string", default: "{}" },
      plugin: { type: "string", multiple: true, default: [] },
      agent: { type: "string" },
      only: { type: "string", multiple: true, default: [] },
      except: { type: "string", multiple: true, default: [] },
      family: { type: "string" },
      temperature: { type: "string" },
      report: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [command] = positionals;
  if (command === "list") {
    process.stdout.write(`${behaviours.map(describe).join("\n\n")}\n`);
    return 0;
  }
  if (command === "sweep") {
    process.stdout.write(`${Lab.sweep().join("\n") || "nothing to sweep"}\n`);
    return 0;
  }
  if (command !== "run" || values.backend === undefined) throw new LabError("ERR_SUITE_USAGE", USAGE);
  const startedAt = new Date();
  const { attach, flavour, tunnel } = values;
  const chosenConfig = Object.entries({ attach, flavour, tunnel }).filter(([, value]) => value !== undefined);
  const backendConfig = { ...JSON.parse(values.config), ...Object.fromEntries(chosenConfig) };
  const services = serviceMode(values.services);
  const pods = podNetworkKind(values.pods);
  const bridgeNetfilter = values["bridge-nf"] === undefined ? undefined : zeroOrOne(values["bridge-nf"]);
  const outcome = await runSuite({
    backend: values.backend,
    backendConfig,
    services,
    pods,
    ...(bridgeNetfilter === undefined ? {} : { bridgeNetfilter }),
    plugins: values.plugin,
    behaviours: chosen(listed(values.only), listed(values.except)),
    ...(values.agent === undefined ? {} : { agentCommand: values.agent.split(" ") }),
    ...(values.family === undefined ? {} : { families: [family(values.family)] }),
    ...(values.temperature === undefined ? {} : { temperatures: [temperature(values.temperature)] }),
    onResult: (result) => process.stdout.write(`${renderResult(result)}\n`),
  });
  const subject = { backend: values.backend, backendConfig, services, pods, commit: await commit(), startedAt };
  const report = buildReport(subject, outcome);
  if (values.report !== undefined) writeFileSync(values.report, `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`\n${renderTable(report.results)}\n\n${renderSummary(report)}\n`);
  return isGood(report) ? 0 : 1;
}

/** Of the sources this runs from, `-dirty` when they were changed since; MILLRACE_COMMIT says it where there is no git. */
async function commit(): Promise<string> {
  const told = process.env.MILLRACE_COMMIT;
  if (told !== undefined && told !== "") return told;
  const described = await run("git", ["-C", import.meta.dirname, "describe", "--always", "--dirty", "--abbrev=12"]);
  return described.status === 0 ? described.stdout.trim() : "unknown";
}

function serviceMode(text: string): ServiceMode {
  const mode = SERVICE_MODES.find((candidate) => candidate === text);
  if (mode === undefined)
    throw new LabError("ERR_SUITE_USAGE", `--services is ${SERVICE_MODES.join(", ")}, not ${text}`);
  return mode;
}

function podNetworkKind(text: string): PodNetworkKind {
  const kind = POD_NETWORKS.find((candidate) => candidate === text);
  if (kind === undefined) throw new LabError("ERR_SUITE_USAGE", `--pods is ${POD_NETWORKS.join(" or ")}, not ${text}`);
  return kind;
}

function zeroOrOne(text: string): boolean {
  if (text !== "0" && text !== "1") throw new LabError("ERR_SUITE_USAGE", `--bridge-nf is 0 or 1, not ${text}`);
  return text === "1";
}

const describe = ({ id, number, title, given, when, outcome }: Behaviour): string =>
  `${number ?? "x"}. ${id}: ${title}\n   Given ${given}\n   When  ${when}\n   Then  ${outcome}`;

const listed = (lists: readonly string[]): string[] => lists.flatMap((list) => list.split(","));

function chosen(only: readonly string[], except: readonly string[]): readonly Behaviour[] {
  const unknown = [...only, ...except].find((name) => !behaviours.some((behaviour) => named(behaviour, name)));
  if (unknown !== undefined)
    throw new LabError("ERR_SUITE_USAGE", `there is no behaviour ${unknown}; see the command list`);
  return behaviours
    .filter((behaviour) => only.length === 0 || only.some((name) => named(behaviour, name)))
    .filter((behaviour) => !except.some((name) => named(behaviour, name)));
}

const named = ({ id, number }: Behaviour, name: string): boolean => id === name || String(number) === name;

function family(text: string): Family {
  if (text === "4") return 4;
  if (text === "6") return 6;
  throw new LabError("ERR_SUITE_USAGE", `--family is 4 or 6, not ${text}`);
}

function temperature(text: string): Temperature {
  if (text === "cold" || text === "warm") return text;
  throw new LabError("ERR_SUITE_USAGE", `--temperature is cold or warm, not ${text}`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof LabError && error.code === "ERR_SUITE_USAGE";
  const parsing = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  process.stderr.write(`${usage || parsing ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = usage || parsing ? 2 : 1;
}
