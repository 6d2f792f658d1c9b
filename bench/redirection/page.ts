import type { Chart } from "../chart.ts";
import { isLoaded } from "./machine.ts";
import { METHOD } from "./method.ts";
import { ratioLine } from "./ratios.ts";
import type { Results } from "./results.ts";
import { tables } from "./table.ts";

/** `docs/performance.md` of a run. Pictures and the results lie in `performance/` beside it. */
export function page(results: Results, charts: readonly Chart[]): string {
  const { machine, plan, seconds, rows, ratios } = results;
  const loaded = isLoaded(machine)
    ? `\n**The machine was busy with other things** (${percent(machine.busy)} of its processors' time before the first run): these figures show that the measurement works, and nothing else.\n`
    : "";
  const pictures = charts.map(({ name, title }) => `![${title}](performance/${name}.svg)`).join("\n\n");
  return `# Performance

What it costs a request to be led through the node's proxy: measured, and written here, by \`${plan === "full" ? "make bench" : "make bench-quick"}\`, which anybody can repeat.
**The ratios are the result**: each compares two ways of one repetition on one machine. The figures they are made of are context; on another machine they are others.
${loaded}
| | |
| --- | --- |
| machine | ${machine.processor}, ${machine.processors} processors, ${machine.memoryGib} GiB |
| kernel | Linux ${machine.kernel} |
| commit | ${machine.commit} |
| begun | ${machine.began}, when ${percent(machine.busy)} of the processors' time was used by others |
| took | ${(seconds / 60).toFixed(1)} minutes |

## Ratios

On one processor and one node, of the light rig unless \`haproxy\` is said. Rates: more is better; \`p75\`: less is better. The median of the repetitions' ratios, with the least and the greatest. \`ebpf\` is tcx, \`iptables\` nft.

\`\`\`
${ratios.map(ratioLine).join("\n")}
\`\`\`

${METHOD}

${pictures === "" ? "" : `## The field's two charts\n\n${pictures}\n\n`}## Figures

The median of the repetitions, with the least and the greatest · the client's part of the processor time of client, proxy and server · how much of it all three
took for a request. With its single repetitions: [results.json](performance/results.json).

${tables(rows)}
`;
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`;
