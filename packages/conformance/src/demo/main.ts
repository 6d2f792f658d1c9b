/** `make demo`: real pods, a real proxy, real packets. Ends with one line that counts; exit 1 if anything was not shown. */
import { parseArgs } from "node:util";
import { LabError } from "../errors.ts";
import type { Break } from "./breaks/break.ts";
import { sharedBreaks } from "./breaks/shared.ts";
import { logsReplay } from "./logs-replay.ts";
import type { Mode } from "./mode.ts";
import { chosenMode } from "./modes/modes.ts";
import { nothingLeft } from "./nothing-left.ts";
import { NotShown, type Scenario } from "./scenario.ts";
import { agentKilledScenarios, agentScenarios } from "./scenarios/agent.ts";
import { captureScenarios } from "./scenarios/capture.ts";
import { closedScenarios } from "./scenarios/closed.ts";
import { dnsScenarios } from "./scenarios/dns.ts";
import { exclusionScenarios } from "./scenarios/exclusions.ts";
import { leavingScenarios } from "./scenarios/leaving.ts";
import { untouchedScenarios } from "./scenarios/untouched.ts";
import { Stage } from "./stage.ts";

const scenariosOf = (mode: Mode): readonly Scenario[] => [
  ...agentScenarios,
  ...mode.scenarios,
  ...captureScenarios,
  ...dnsScenarios,
  ...exclusionScenarios,
  ...untouchedScenarios,
  ...closedScenarios,
  ...agentKilledScenarios,
  ...leavingScenarios,
];

const PICTURE = `
   world ────────────┬──────────────────────── fabric ────────────────────────┐
                     │                                                        │
   ┌─ node 1 ────────┴───────────────────────────┐   ┌─ node 2 ───────────────┴───────────┐
   │  agent        HAProxy (ztunnel-1)           │   │  agent      HAProxy (ztunnel-2)    │
   │  cart*  web*  legacy                        │   │  api*  db                          │
   └─────────────────────────────────────────────┘   └────────────────────────────────────┘
   * in the mesh: its TCP goes through the HAProxy of its node. Everything is a network namespace of this machine.
`;

const print = (line = ""): void => void process.stdout.write(`${line}\n`);

function chosenBreak(mode: Mode, name: string | undefined): Break | undefined {
  if (name === undefined) return undefined;
  const breaks = [...mode.breaks, ...sharedBreaks];
  const found = breaks.find((candidate) => candidate.name === name);
  if (found !== undefined) return found;
  print(`BREAK=${name} is not one of these, in mode ${mode.backend}:`);
  for (const { name: known, description } of breaks) print(`  ${known.padEnd(22)} ${description}`);
  process.exit(name === "list" ? 0 : 2);
}

async function show(stage: Stage, scenario: Scenario): Promise<boolean> {
  try {
    const evidence = await scenario.show(stage);
    print(`✓ ${scenario.name}: ${scenario.title}`);
    for (const line of evidence) print(`    ${line}`);
    return true;
  } catch (error) {
    print(`✗ ${scenario.name}: ${scenario.title}`);
    const text = error instanceof NotShown ? error.message : String((error as Error).stack ?? error);
    for (const line of text.split("\n")) print(`    ${line}`);
    return false;
  }
}

async function run(
  mode: Mode,
  broken: Break | undefined,
  wanted: readonly Scenario[],
): Promise<{ passed: number; failed: number }> {
  const count = { passed: 0, failed: 0 };
  const add = (shown: boolean): void => {
    if (shown) count.passed++;
    else count.failed++;
  };
  let prefix = "";
  let logFailure: LabError | undefined;
  try {
    await using stage = await Stage.create(mode);
    prefix = stage.lab.prefix;
    for (const [index, scenario] of wanted.entries()) {
      if (broken !== undefined && (broken.before === scenario.name || (broken.before === undefined && index === 0))) {
        print(`! BREAK=${broken.name}: ${broken.description}`);
        await broken.apply(stage);
      }
      add(await show(stage, scenario));
    }
    if (count.failed > 0) {
      for (const agent of stage.agents) {
        print(`\nlast lines of the agent of ${agent.node.name}:`);
        for (const line of agent.lines.slice(-25)) print(`    ${line}`);
      }
    }
  } catch (error) {
    if (!(error instanceof LabError) || error.code !== "ERR_AGENT_LOG") throw error;
    logFailure = error;
  }
  add(await show(undefined as never, logsReplay(logFailure)));
  add(await show(undefined as never, nothingLeft(prefix)));
  return count;
}

const { values } = parseArgs({
  options: {
    mode: { type: "string" },
    flavour: { type: "string" },
    break: { type: "string" },
    only: { type: "string" },
  },
});
const mode = chosenMode(values.mode, values.flavour);
if (mode === undefined) {
  print(`MODE is ebpf or iptables, FLAVOUR nft or legacy and with MODE=iptables only`);
  process.exit(2);
}
const broken = chosenBreak(mode, values.break);
const only = values.only?.split(",");
const wanted = scenariosOf(mode).filter(({ name }) => only === undefined || only.includes(name));
if (wanted.length === 0) {
  print(
    `ONLY=${values.only} names none of ${scenariosOf(mode)
      .map(({ name }) => name)
      .join(", ")}`,
  );
  process.exit(2);
}
print(PICTURE);
print(`   ${mode.title}\n`);
const { passed, failed } = await run(mode, broken, wanted);
print(`demo: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
