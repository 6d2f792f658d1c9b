import { spawn } from "node:child_process";
import { once } from "node:events";
import { PLAIN } from "./environment.ts";
import type { TestNetns } from "./test-netns.ts";

/** A listener on 127.0.0.1:7777 of a namespace, up when the promise resolves. */
export async function listen(netns: TestNetns): Promise<AsyncDisposable> {
  const server = "require('node:net').createServer(s => s.end()).listen(7777, '127.0.0.1', () => console.log('up'))";
  const child = spawn("nsenter", [`--net=${netns.path}`, process.execPath, "-e", server], {
    stdio: ["ignore", "pipe", "inherit"],
    env: PLAIN,
  });
  await once(child.stdout, "data");
  return {
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}

/** Exit code 0: connected. */
export const CONNECT = "curl -s -m 2 telnet://127.0.0.1:7777 < /dev/null";
