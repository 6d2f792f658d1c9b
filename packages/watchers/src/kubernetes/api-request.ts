/** What the API server is asked. The media types of patches are those of "API Concepts", "Patch". */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: string;
  /** Of the body; default `application/json`. */
  readonly contentType?: "application/json" | "application/merge-patch+json" | "application/json-patch+json";
}
