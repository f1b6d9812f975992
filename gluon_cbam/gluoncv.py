"""Importing this module registers the models with GluonCV: ``gluoncv.model_zoo.get_model`` then builds them."""

from gluon_cbam.adapters.gluoncv import register

__all__ = ['register']

register()
