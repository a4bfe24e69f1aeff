"""The attacks of the threat table, over real sockets, one file each."""
