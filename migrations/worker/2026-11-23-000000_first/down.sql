DROP TABLE serials;
DROP TABLE devices;
DROP TABLE terminals;
