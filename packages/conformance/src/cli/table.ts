import { readFileSync } from "node:fs";
import { errorMessage } from "@millrace/core/internal";
import { z } from "zod";
import { behaviours } from "../behaviours/index.ts";
import { LabError } from "../errors.ts";
import { POD_NETWORKS } from "../lab/pod-network.ts";
import { SERVICE_MODES } from "../lab/services.ts";
import { renderMarkdown, type TableReport } from "../report/markdown.ts";

const number = z.union([z.int(), z.literal("2b")]).optional();

/** Of what `--report` writes: the rest may change. */
const schema = z.object({
  variant: z.string(),
  services: z.enum(SERVICE_MODES),
  pods: z.enum(POD_NETWORKS),
  kernel: z.string(),
  commit: z.string(),
  startedAt: z.string(),
  notApplicable: z.array(z.object({ id: z.string(), because: z.string() })),
  unclaimed: z.array(z.object({ id: z.string(), number })),
  results: z.array(
    z.object({
      id: z.string(),
      number,
      family: z.union([z.literal(4), z.literal(6)]),
      temperature: z.enum(["cold", "warm"]),
      passed: z.boolean(),
    }),
  ),
});

/** The table of {@link renderMarkdown} out of files that `--report` wrote. Throws ERR_SUITE_USAGE for what is none, and for reports of more than one backend. */
export function tableOf(files: readonly string[]): string {
  const reports = files.map(read);
  const variants = [...new Set(reports.map(({ variant }) => variant))];
  if (variants.length > 1)
    throw new LabError("ERR_SUITE_USAGE", `these are reports of ${variants.join(" and ")}: give those of one backend`);
  return renderMarkdown(reports, behaviours);
}

function read(file: string): TableReport {
  const refuse = (why: string, cause: unknown) => {
    const message = `${file} is no report: give a file that run --report wrote, .json (${why.split("\n")[0]})`;
    return new LabError("ERR_SUITE_USAGE", message, { cause });
  };
  const { success, data, error } = schema.safeParse(contentsOf(file, refuse));
  if (!success) throw refuse(z.prettifyError(error), error);
  return data as TableReport;
}

function contentsOf(file: string, refuse: (why: string, cause: unknown) => LabError): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw refuse(errorMessage(error), error);
  }
}
