// written with the tests
