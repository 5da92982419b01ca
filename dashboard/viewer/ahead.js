// Fetches a picture that is to be shown soon.

export default function ({ data }) {
  if (data.slice) load(data.slice).catch(() => null); // the viewer will say so
}
