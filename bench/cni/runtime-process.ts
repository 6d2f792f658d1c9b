import { createInterface } from "node:readline";
import { type Attachment, Chain, type Command, type NetworkList, type Times } from "./chain.ts";

export interface RuntimeSettings {
  readonly network: NetworkList;
  readonly cniPath: readonly string[];
  /** The previous result that a chain of our plugin alone is handed. */
  readonly first?: object;
}

export interface Work {
  readonly command: Command;
  readonly attachments: readonly Attachment[];
}

/** On the node: starts and ends pods' interfaces, one after the other. Settings are the first line, then work; times come out. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async (): Promise<string | undefined> => {
  const { value, done } = await lines.next();
  return done === true ? undefined : value;
};

const { network, cniPath, first }: RuntimeSettings = JSON.parse((await next()) ?? "");
const chain = new Chain(network, cniPath, first);
console.log("ready");
for (let line = await next(); line !== undefined; line = await next()) {
  const { command, attachments }: Work = JSON.parse(line);
  const times: Times[] = attachments.map((attachment) => chain.run(command, attachment));
  console.log(JSON.stringify(times));
}
