import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Asked, type Protocol, type Response, refuse, ScriptedApiServer } from "../testing/api-server.test.kit.ts";
import { makeCertificate } from "../testing/certificate.test.kit.ts";
import type { ApiAccess } from "./api-access.ts";
import { KubernetesApi } from "./kubernetes-api.ts";

const certificate = makeCertificate();
const open = new AbortController().signal;

class Api implements AsyncDisposable {
  readonly server: ScriptedApiServer;
  readonly api: KubernetesApi;
  token = "t1";
  /** Below which the server answers, with whatever stands before it. */
  root = "";

  private constructor(server: ScriptedApiServer) {
    this.server = server;
    const access = async (): Promise<ApiAccess> => ({
      server: new URL(this.root, server.url),
      headers: { Authorization: `Bearer ${this.token}` },
      tls: { ca: certificate.cert },
      agent: undefined as never,
      proxied: false,
    });
    this.api = new KubernetesApi({ access, timing: { answerMs: 2_000 } });
  }

  static async create(protocol: Protocol, script?: (asked: Asked, response: Response) => boolean): Promise<Api> {
    const server = new ScriptedApiServer(certificate, protocol);
    if (script !== undefined) server.script = script;
    await server.start();
    return new Api(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

const answer =
  (body: object, status = 200) =>
  (_: Asked, response: Response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
    return true;
  };

describe.each(["h2", "https", "http"] as const)("over %s", (protocol) => {
  test("objects are read, made and patched", async () => {
    await using it = await Api.create(protocol, answer({ kind: "Pod" }, 201));
    expect(await it.api.get("/a", "a", open)).toEqual({ kind: "Pod" });
    await it.api.create("/b", { made: "ü" }, "b", open);
    await it.api.mergePatch("/c", { metadata: { annotations: { x: null } } }, "c", open);
    await it.api.jsonPatch("/d", [{ op: "remove", path: "/x" }], "d", open);
    await expect
      .poll(() => it.server.asked.map(({ method, path, contentType, body }) => ({ method, path, contentType, body })))
      .toEqual([
        { method: "GET", path: "/a", contentType: undefined, body: "" },
        { method: "POST", path: "/b", contentType: "application/json", body: '{"made":"ü"}' },
        {
          method: "PATCH",
          path: "/c",
          contentType: "application/merge-patch+json",
          body: '{"metadata":{"annotations":{"x":null}}}',
        },
        {
          method: "PATCH",
          path: "/d",
          contentType: "application/json-patch+json",
          body: '[{"op":"remove","path":"/x"}]',
        },
      ]);
  });

  test.each(["/k8s/clusters/c-1", "/k8s/clusters/c-1/"])(
    "a server that has a path is asked below it: %s",
    async (root) => {
      await using it = await Api.create(protocol, answer({}));
      it.root = root;
      await it.api.get("/api/v1/pods?limit=1", "a", open);
      expect(it.server.asked.map(({ path }) => path)).toEqual(["/k8s/clusters/c-1/api/v1/pods"]);
    },
  );

  test("a refusal has the status and the server's words", async () => {
    await using it = await Api.create(protocol, (_, response) => {
      refuse(response, 409, "the object has been modified");
      return true;
    });
    await expect(it.api.mergePatch("/c", {}, "patching c", open)).rejects.toMatchObject({
      code: "ERR_KUBERNETES_STATUS",
      status: 409,
      message: "patching c was refused with status 409: the object has been modified",
    });
  });
});

test("a token that was replaced in between is read anew, and the body sent again", async () => {
  await using it = await Api.create("h2");
  it.server.token = "t2";
  it.server.script = (asked, response) => {
    it.token = "t2";
    return asked.authorization === "Bearer t2" && answer({})(asked, response);
  };
  await it.api.create("/b", { made: 1 }, "b", open);
  expect(it.server.asked.map(({ authorization, body }) => [authorization, body])).toEqual([
    ["Bearer t1", '{"made":1}'],
    ["Bearer t2", '{"made":1}'],
  ]);
});

test("what is no JSON is no answer", async () => {
  await using it = await Api.create("h2", (_, response) => {
    response.end("<html>");
    return true;
  });
  await expect(it.api.get("/a", "a", open)).rejects.toMatchObject({ code: "ERR_KUBERNETES_ANSWER" });
});

test("a server that does not answer is given up, and so is one that is no longer waited for", async () => {
  await using it = await Api.create("h2", () => true);
  await expect(it.api.get("/a", "a", open)).rejects.toMatchObject({ code: "ERR_KUBERNETES_SILENT" });
  const waited = new AbortController();
  const asked = it.api.get("/a", "a", waited.signal);
  await sleep(20);
  waited.abort(new Error("no longer"));
  await expect(asked).rejects.toThrow("no longer");
});
