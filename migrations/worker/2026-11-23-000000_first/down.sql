DROP TABLE serials;
DROP TABLE grants;
DROP TABLE devices;
DROP TABLE terminals;
