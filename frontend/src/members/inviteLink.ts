/** What is sent to whoever is invited. The token stands after the `#`, which no server is told and no log keeps. */
export const inviteLink = (token: string) => `${window.location.origin}/accept-invitation#${token}`;
