/** Helpers for the text field of the composer. */

/**
 * Return whether a key belongs to an input method, such as the Enter that ends a Hangul syllable. Safari reports only
 * the key code 229.
 */
export function isComposing(event: React.KeyboardEvent): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  return event.nativeEvent.isComposing || event.keyCode === 229;
}

const sizesItself = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

export function fitHeight(field: HTMLTextAreaElement | null): void {
  if (!field || sizesItself) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

/** Insert a text as if it was typed, so that React notices it and undo works. */
export function insertAtCaret(field: HTMLTextAreaElement | null, text: string): void {
  if (!field) return;
  field.focus();
  const { selectionStart, selectionEnd } = field;
  field.setRangeText(text, selectionStart, selectionEnd, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText", data: text }));
}
