"""Does what the plan says: asyncio, one process, no Qt, no disk."""
