-- Run once, by the image, when the volume is empty: each service has a database of its own and makes its tables itself.
CREATE DATABASE faultline_order;
CREATE DATABASE faultline_payment;
CREATE DATABASE faultline_inventory;
