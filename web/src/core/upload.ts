// An upload of one file with its progress. A retry uses the same ID, so the server stores the file once.
import { v4 as uuid } from "uuid";
import { errorFrom } from "./api.ts";
import { failure } from "./requests.ts";
import { Store } from "./store.ts";
import type { UpdateBatch } from "./store.ts";
import type { Attachment, DomainError, Result, Upload, UploadState } from "./types.ts";

const URL = "/api/media/attachments";

export class FileUpload implements Upload {
  readonly id = uuid();
  readonly file: File;
  readonly getSnapshot: () => UploadState;
  readonly subscribe: (listener: () => void) => () => void;
  readonly done: Promise<Result<{ attachment: Attachment }>>;
  readonly #roomId: string | undefined;
  readonly #store: Store<UploadState>;
  readonly #finish: (result: Result<{ attachment: Attachment }>) => void;
  #state: UploadState = { status: "uploading", progress: 0, attachment: null, error: null };
  #request: XMLHttpRequest | null = null;

  constructor(batch: UpdateBatch, file: File, roomId?: string) {
    this.file = file;
    this.#roomId = roomId;
    this.#store = new Store(batch, () => this.#state);
    this.getSnapshot = this.#store.getSnapshot;
    this.subscribe = this.#store.subscribe;
    let finish: (result: Result<{ attachment: Attachment }>) => void = () => undefined;
    this.done = new Promise((resolve) => (finish = resolve));
    this.#finish = finish;
    this.#start();
  }

  readonly cancel = (): void => {
    if (this.#state.status === "done") return;
    this.#set({ status: "cancelled" });
    this.#request?.abort();
    this.#finish(failure("cancelled", "The upload was cancelled."));
  };

  readonly retry = (): void => {
    if (this.#state.status === "failed") this.#start();
  };

  #start(): void {
    const request = new XMLHttpRequest();
    this.#request = request;
    this.#set({ status: "uploading", progress: 0, error: null });
    request.upload.onprogress = ({ loaded, total }) =>
      this.#set({ progress: total > 0 ? loaded / total : 0 });
    request.onload = () => this.#loaded(request);
    request.onerror = () => this.#fail({ code: "offline", detail: "The server was not reached." });
    request.open("POST", URL);
    request.send(this.#form());
  }

  /** The fields come before the file, because the server reads the form as a stream. */
  #form(): FormData {
    const form = new FormData();
    form.set("client_id", this.id);
    if (this.#roomId !== undefined) form.set("room_id", this.#roomId);
    form.set("file", this.file, this.file.name);
    return form;
  }

  #loaded(request: XMLHttpRequest): void {
    if (request.status !== 201) {
      this.#fail(errorFrom(request.status, request.responseText, request.getResponseHeader("Retry-After")));
      return;
    }
    const attachment = JSON.parse(request.responseText) as Attachment;
    this.#set({ status: "done", progress: 1, attachment });
    this.#finish({ ok: true, attachment });
  }

  #fail(error: DomainError): void {
    if (this.#state.status === "uploading") this.#set({ status: "failed", error });
  }

  #set(change: Partial<UploadState>): void {
    this.#state = { ...this.#state, ...change };
    this.#store.invalidate();
  }
}
