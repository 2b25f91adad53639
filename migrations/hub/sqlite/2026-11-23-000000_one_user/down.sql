DROP TABLE registration_keys;
DROP TABLE workers;
DROP TABLE credentials;
DROP TABLE workspaces;
DROP TABLE users;
DROP TABLE organisations;
