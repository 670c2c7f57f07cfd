//! Signatures of what Adobe Commerce tells: events of Adobe I/O, and the webhooks of its module.
