"""Visitors who become users (rules 22, 23, 25)."""


def are_tied(visitor, user):
    """Whether rule 13 leaves open which of two came first: accepted in the same millisecond, by two
    partitions perhaps."""
    times = {(event.time, event.received) for event in visitor.events}
    return any((event.time, event.received) in times for event in user.events) or \
        any(received == user.received.get(message_id)
            for message_id, received in visitor.received.items())


def merge(workspace, visitor, user):
    """The visitor ceases to exist, then the user takes over, in one step."""
    now = workspace.now
    workspace.leave(visitor)
    visitor.became = user
    for message_id, free in visitor.message_ids.items():
        if free <= now:
            continue
        if user.message_ids.get(message_id, 0) > now:
            first, second = (visitor, user) \
                if visitor.received[message_id] < user.received[message_id] else (user, visitor)
            second.events = [event for event in second.events if event.message_id != message_id]
            if first is user:
                continue
        user.message_ids[message_id] = free
        user.received[message_id] = visitor.received[message_id]
    for name, value in visitor.traits.items():
        user.traits.setdefault(name, value)
    user.events += [event for event in visitor.events if event.gone > now]
    user.boundaries.clear()
    workspace.take_over(user)
