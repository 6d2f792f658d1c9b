import { request } from "node:http";
import { z } from "zod";
import { within } from "../slow.ts";

/** The part of the agent's status document that the lab rests on; see `millrace status --json`. */
const Status = z.looseObject({
  agent: z.looseObject({ backend: z.string().optional(), problem: z.string().optional() }),
  observation: z
    .looseObject({ time: z.string(), problems: z.array(z.string()), nodeAddresses: z.array(z.string()) })
    .optional(),
  workloads: z.array(
    z.looseObject({
      uid: z.string(),
      namespace: z.string(),
      name: z.string(),
      state: z.string(),
      reason: z.string().optional(),
      problems: z.array(z.string()),
      foreign: z.array(z.looseObject({ kind: z.string(), where: z.string(), owner: z.string(), effect: z.string() })),
    }),
  ),
  watches: z.array(z.looseObject({ name: z.string(), state: z.string(), reason: z.string().optional() })),
  proxies: z.array(
    z.looseObject({
      uid: z.string(),
      name: z.string(),
      role: z.string(),
      state: z.string(),
      problems: z.array(z.string()),
    }),
  ),
});

export type AgentStatus = z.output<typeof Status>;

const TIMEOUT_MS = within(20_000);

/** Asks the agent for its status over the admin socket. */
export function readStatus(socketPath: string): Promise<AgentStatus> {
  return new Promise((resolve, reject) => {
    // Without an agent no connection is kept: the server may close an idle one, or be another process, by the next request.
    const asked = request({ socketPath, path: "/status", timeout: TIMEOUT_MS, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve(Status.parse(JSON.parse(body)));
        } catch (cause) {
          reject(new Error(`GET /status: HTTP ${response.statusCode}: ${body.slice(0, 500)}`, { cause }));
        }
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`GET /status: no answer within ${TIMEOUT_MS} ms`)));
    asked.on("error", reject);
    asked.end();
  });
}
