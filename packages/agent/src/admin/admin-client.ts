import { request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { AgentError, isAgentErrorCode } from "../errors.ts";
import type { ExplainQuery } from "../explain/explain-pod.ts";
import { explainParameters } from "../explain/explain-query.ts";
import { type ExplanationDocument, explanationSchema } from "../explain/explanation-document.ts";
import { type ShadowDocument, shadowSchema } from "../shadow/shadow-document.ts";
import { type Status, statusSchema } from "../status/status-document.ts";
import { type SwitchAnswer, type SwitchRequest, switchAnswerSchema } from "../status/switch-document.ts";

const failureSchema = z.object({ code: z.string(), message: z.string() });

const STATUS_TIMEOUT_MS = 5_000;
/** Reading the kernel takes time in proportion to the node's pods, and waits for a change that is under way. */
const OBSERVE_TIMEOUT_MS = 30_000;

function unreachable(path: string, error: NodeJS.ErrnoException): AgentError {
  const cause = { cause: error };
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return new AgentError("ERR_NOT_PERMITTED", `the agent's socket ${path} is for root only`, cause);
    case "ENOENT":
      return new AgentError("ERR_AGENT_NOT_RUNNING", `there is no agent's socket at ${path}`, cause);
    case "ECONNREFUSED":
      return new AgentError("ERR_AGENT_NOT_RUNNING", `nothing listens on ${path}: the agent has ended`, cause);
    case "ECONNRESET":
    case "EPIPE":
    case "ERR_STREAM_PREMATURE_CLOSE":
      return new AgentError("ERR_AGENT_NOT_RUNNING", `the agent at ${path} broke off while answering`, cause);
    default:
      // llhttp's codes: what came is no HTTP
      if (error.code?.startsWith("HPE_")) {
        return new AgentError("ERR_AGENT_ANSWER", `what answers at ${path} is not the agent`, cause);
      }
      return new AgentError("ERR_AGENT_NOT_RUNNING", `the agent's socket ${path} cannot be used`, cause);
  }
}

/** Only these say that nobody is behind a socket: unix(7). Anything else, silence too, is a sign of life. */
const NOBODY: readonly unknown[] = ["ENOENT", "ECONNREFUSED"];

/** Talks to the agent of this node through its admin socket. */
export class AdminClient {
  readonly #path: string;
  readonly #timeoutMs: number;

  /** `timeoutMs`: longest wait for an answer that needs no reading of the kernel. */
  constructor(path: string, timeoutMs = STATUS_TIMEOUT_MS) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** The last known status. Throws `ERR_AGENT_NOT_RUNNING`, `ERR_AGENT_STUCK`, `ERR_NOT_PERMITTED`, `ERR_AGENT_ANSWER`. */
  async status(): Promise<Status> {
    return parse(statusSchema, "status", await this.#call("GET", "/status", this.#timeoutMs));
  }

  /** As {@link status}, after a fresh reading of the kernel. */
  async observe(): Promise<Status> {
    return parse(statusSchema, "status", await this.#call("POST", "/observe", OBSERVE_TIMEOUT_MS));
  }

  /** Why a pod is redirected or not, and what becomes of a flow. Throws `ERR_POD_UNKNOWN` besides. */
  async explain(query: ExplainQuery): Promise<ExplanationDocument> {
    const path = `/explain?${explainParameters(query)}`;
    return parse(explanationSchema, "explanation", await this.#call("GET", path, OBSERVE_TIMEOUT_MS));
  }

  /** What the shadow plans and counted. */
  async shadow(): Promise<ShadowDocument> {
    return parse(shadowSchema, "shadow", await this.#call("GET", "/shadow", OBSERVE_TIMEOUT_MS));
  }

  /** Asks for a switch to another backend. Throws the agent's refusal, by its code. */
  async switchTo(request: SwitchRequest): Promise<SwitchAnswer> {
    return parse(switchAnswerSchema, "switch", await this.#call("POST", "/switch", OBSERVE_TIMEOUT_MS, request));
  }

  /**
   * Whether an agent answers there: true, false when nobody is behind the socket, or the error when somebody is who does not answer
   * as an agent: an agent that is stuck, another program, another user's.
   */
  async answers(): Promise<boolean | AgentError> {
    try {
      await this.#call("GET", "/healthz", this.#timeoutMs);
      return true;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return NOBODY.includes((error.cause as NodeJS.ErrnoException | undefined)?.code) ? false : error;
    }
  }

  async #call(method: "GET" | "POST", path: string, timeoutMs: number, content?: object): Promise<unknown> {
    const signal = AbortSignal.timeout(timeoutMs);
    const { promise, resolve, reject } = Promise.withResolvers<{ code: number; body: string }>();
    const failed = (error: NodeJS.ErrnoException) => {
      if (!signal.aborted) return reject(unreachable(this.#path, error));
      const message = `the agent at ${this.#path} did not answer within ${timeoutMs} ms`;
      reject(new AgentError("ERR_AGENT_STUCK", message, { cause: error }));
    };
    request({ socketPath: this.#path, method, path, signal, agent: false }, (response) => {
      text(response).then((body) => resolve({ code: response.statusCode ?? 0, body }), failed);
    })
      .on("error", failed)
      .end(content === undefined ? undefined : JSON.stringify(content));
    const { code, body } = await promise;
    let json: unknown;
    try {
      json = JSON.parse(body);
    } catch (error) {
      throw new AgentError("ERR_AGENT_ANSWER", `what answers at ${this.#path} is not the agent`, { cause: error });
    }
    if (code === 200) return json;
    if (code === 403) throw new AgentError("ERR_NOT_PERMITTED", `the agent at ${this.#path} answers root only`);
    const failure = failureSchema.safeParse(json);
    if (failure.success && (content !== undefined || failure.data.code === "ERR_POD_UNKNOWN")) {
      const { code: reason, message } = failure.data;
      if (isAgentErrorCode(reason)) throw new AgentError(reason, message);
      throw Object.assign(new Error(message), { code: reason });
    }
    const reason = failure.success ? `${failure.data.code}: ${failure.data.message}` : `HTTP status ${code}`;
    throw new AgentError("ERR_AGENT_ANSWER", `the agent could not answer ${method} ${path}: ${reason}`);
  }
}

function parse<T extends z.ZodType>(schema: T, what: string, body: unknown): z.output<T> {
  const { success, data, error } = schema.safeParse(body);
  if (success) return data;
  throw new AgentError("ERR_AGENT_ANSWER", `the agent's answer is no ${what}: ${z.prettifyError(error)}`, {
    cause: error,
  });
}
