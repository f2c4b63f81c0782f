#[cfg(test)]
mod fold;
#[cfg(test)]
mod log;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod world;
