//! What the example programs share: the services of the renewal agent and its world.
