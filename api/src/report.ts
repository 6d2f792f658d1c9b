import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";
import { type Entry, ROOT } from "./entries.ts";

/** Its advice on tags and comments is not ours: every export is public, what is not is not exported. What it cannot read is an error all the same. */
const SILENT = { default: { logLevel: ExtractorLogLevel.None } };

/**
 * What an entry exports, as text: from the declarations that `tsc -b` has written. API Extractor brings a compiler of its own, because the
 * workspace's (TypeScript 7) has no interface for programs. Throws when that compiler cannot read them.
 */
export function apiReport({ packageDirectory, types, specifier, report }: Entry): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-api-"));
  try {
    const reportFolder = join(directory, "report");
    mkdirSync(reportFolder);
    const configObject = {
      projectFolder: packageDirectory,
      mainEntryPointFilePath: types,
      compiler: {
        overrideTsconfig: { extends: join(ROOT, "tsconfig.base.json"), compilerOptions: COMPILER, files: [types] },
      },
      // What a signature names is part of it, exported or not.
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName: basename(report, ".api.md"),
        reportFolder,
        reportTempFolder: directory,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf" as const,
      messages: { extractorMessageReporting: SILENT, tsdocMessageReporting: SILENT },
    };
    const config = ExtractorConfig.prepare({
      configObject,
      configObjectFullPath: undefined,
      packageJsonFullPath: join(packageDirectory, "package.json"),
    });
    const problems: string[] = [];
    Extractor.invoke(config, {
      localBuild: true,
      messageCallback: (message) => {
        if (message.logLevel === ExtractorLogLevel.Error) problems.push(message.formatMessageWithLocation(ROOT));
        message.handled = true;
      },
    });
    if (problems.length > 0) throw new Error(`${specifier}: its declarations cannot be read:\n${problems.join("\n")}`);
    return withoutRemarks(readFileSync(join(reportFolder, basename(report)), "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** As others see the packages: by what is built, not by the sources. */
const COMPILER = { customConditions: [], noEmit: true, composite: false, incremental: false };

/** That something has no comment is no part of what is promised. */
const withoutRemarks = (text: string): string =>
  text.replace(/^ *\/\/ \(undocumented\)\n/gm, "").replaceAll("// @public (undocumented)", "// @public");
