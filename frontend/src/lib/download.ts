/** Hands a text that is in memory to the browser as a file. */
export function download(name: string, text: string, type = "text/csv;charset=utf-8") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // After the click has been worked on.
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
