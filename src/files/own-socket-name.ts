/** The name of the socket in the data folder by which the commands of this machine reach the API. */
export const ownSocketName = 'api.sock';
